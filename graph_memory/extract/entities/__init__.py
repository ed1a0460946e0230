"""Reading people, things and what is said of them out of messages, by rules or from a model's answer."""
