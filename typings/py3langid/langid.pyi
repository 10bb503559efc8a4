from pathlib import Path

MODEL_FILE: Path

class LanguageIdentifier:
    @classmethod
    def from_model_file(cls, path: Path) -> LanguageIdentifier: ...
    def rank(self, text: str) -> list[tuple[str, float]]: ...
