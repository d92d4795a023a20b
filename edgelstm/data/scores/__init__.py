"""Score answers against the truth: one additive scorer for each kind of answer, and one way to go over examples.

Scores are what a program decides by, details what a person looks at; both can be written as JSON.
"""
