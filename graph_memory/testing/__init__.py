"""What authors of back ends and memories test their work with. Nothing here is imported by the rest of the package."""
