"""Configuration: YAML in, frozen and checked settings out."""
