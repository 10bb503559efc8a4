"""How well search answers: questions with known pages, measured through the product itself."""
