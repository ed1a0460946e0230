"""From text to what memory needs of it: transcripts into messages, lines into answers. Pure, without a model."""
