"""What runs beside the web processes: following up, telling customers' systems, keeping house."""
