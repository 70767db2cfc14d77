"""The studio's HTTP routes."""
