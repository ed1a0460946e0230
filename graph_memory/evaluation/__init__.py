"""How well memory finds what answers a question, on a user's own conversations, and which weights suit them.

`data` reads conversations with questions, `options` reads settings, `running` puts the questions to `VectorMemory`,
`measures` are the figures, `features` and `fit` look for weights. Nothing here is needed to remember or to recall.
"""
