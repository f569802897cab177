"""What is said to people: a code and values where it arises, words at the edge.

One catalogue a language, `en.json` and `zh.json`, code → template. An error, a problem or a hint is
a `Message`; whoever speaks to a reader asks for it `in_language`.
"""
