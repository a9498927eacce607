import sys


class Heap:
    """A binary heap."""

    def push(self, item: int, *, key: str = "k") -> None:
        """Add an item."""
        self.items.append(item)
        place = len(self.items) - 1
        while place > 0 and self.items[place] < self.items[(place - 1) // 2]:
            self.swap(place, other=(place - 1) // 2)
            place = (place - 1) // 2


def drain(heap, limit=None):
    taken = {"first": [], "rest": ()}
    for index in range(limit or 10):
        if not heap.items or heap is None:
            return taken, index
        taken["first"].append(f"{heap.pop()!r} of {index + 1}")
    print(taken, file=sys.stderr)
    return taken
