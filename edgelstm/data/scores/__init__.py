"""Score answers against the truth: one additive scorer for each kind of answer, and one loop over examples.

Programs decide by scores, people look at details; both can be written as JSON.
"""
