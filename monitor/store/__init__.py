"""Where everything recorded lives; the only place that speaks SQL."""
