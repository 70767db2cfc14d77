"""The base of stages, with the rules that the documentation gives for them."""

import copy
from typing import Generic, TypeVar

from nemo_curator.stages.resources import Resources

X = TypeVar("X")
Y = TypeVar("Y")


class ProcessingStage(Generic[X, Y]):
    name = "ProcessingStage"
    resources = Resources()
    batch_size = 1

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        for attribute in ("name", "resources", "batch_size"):
            if isinstance(cls.__dict__.get(attribute), property):
                raise TypeError(f"{attribute} must not be a property")

    def setup_on_node(self, node_info=None, worker_metadata=None):
        pass

    def setup(self, worker_metadata=None):
        pass

    def teardown(self):
        pass

    def process_batch(self, tasks):
        results = []
        for task in tasks:
            top, within = self.inputs()
            assert all(hasattr(task, name) for name in top)
            assert all(hasattr(task.data, name) for name in within)
            made = self.process(task)
            results += made if isinstance(made, list) else [] if made is None else [made]
        return results

    def with_(self, *, name=None, resources=None, batch_size=None):
        made = copy.deepcopy(self)
        for attribute, value in (("name", name), ("resources", resources), ("batch_size", batch_size)):
            if value is not None:
                setattr(made, attribute, value)
        return made
