"""Features of photographs from a frozen ImageNet backbone, computed once and cached."""

__version__ = "0.1.0"
