"""Self-contained pages and figures, from results that others computed."""
