"""What a release has besides the wheel: tested versions, a bundle, a registry entry, buttons."""
