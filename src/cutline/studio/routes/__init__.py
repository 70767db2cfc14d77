"""The studio's HTTP routes: everything that its page does."""
