"""What a person installs: the wheel, the bundle, the files for registries, on every system."""
