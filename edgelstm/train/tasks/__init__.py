"""The tasks, one file each; a new task is a file and an entry in `TASKS`, which a test compares with the recipe."""

from __future__ import annotations

from edgelstm.train.tasks.classify import CLASSIFY
from edgelstm.train.tasks.forecast import FORECAST
from edgelstm.train.tasks.label import LABEL
from edgelstm.train.tasks.task import Arrays, Task

TASKS = {task.name: task for task in (FORECAST, CLASSIFY, LABEL)}

__all__ = ["TASKS", "Arrays", "Task"]
