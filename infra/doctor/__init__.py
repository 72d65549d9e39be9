"""Is everything in place that the application's connections live by? Asks, and changes nothing."""
