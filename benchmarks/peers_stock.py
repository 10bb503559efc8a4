"""Runs the pipelines of others, in an environment that has their packages.

    python -m benchmarks.peers_stock TASK.json RUNS.json

`benchmarks.peers` starts it: LangChain's package wants an older pgvector than the product does.
"""

import sys
from pathlib import Path

from benchmarks.peers_langchain import langchain_pipelines
from benchmarks.peers_llamaindex import llamaindex_pipelines
from benchmarks.peers_recipe import recipe_pipelines
from benchmarks.peers_task import Task, runs_of, write_runs
from benchmarks.peers_vectors import Vectors


def main(task_file: Path, runs_file: Path) -> None:
    """Writes what each pipeline found."""
    task = Task.read(task_file)
    vectors = Vectors()
    makers = (langchain_pipelines, llamaindex_pipelines, recipe_pipelines)
    pipelines = [pipeline for make in makers for pipeline in make(task, vectors)]
    write_runs(runs_of(pipelines, task), runs_file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
