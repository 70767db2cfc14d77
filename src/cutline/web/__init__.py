"""HTML pages: templates, style sheets, and the one place that renders them."""
