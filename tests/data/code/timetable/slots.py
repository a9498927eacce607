# SPDX-License-Identifier: GPL-3.0-or-later
"""Free slots between appointments."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A half-open stretch of minutes."""

    start: int
    end: int

    def overlaps(self, other):
        """Whether the two share a minute."""
        return self.start < other.end and other.start < self.end


def merge_slots(slots):
    """The same minutes as disjoint slots, in order."""
    merged = []
    for slot in sorted(slots, key=lambda slot: slot.start):
        if merged and slot.start <= merged[-1].end:
            last = merged.pop()
            slot = Slot(last.start, max(last.end, slot.end))
        merged.append(slot)
    return merged


def free_slots(busy, day, shortest=15):
    """What is left of a day beside the busy slots.

    Slots shorter than `shortest` minutes are of no use to anyone and left out.
    """
    free = []
    cursor = day.start
    for slot in merge_slots(busy):
        if not slot.overlaps(day):
            continue
        if slot.start - cursor >= shortest:
            free.append(Slot(cursor, slot.start))
        cursor = max(cursor, slot.end)
    if day.end - cursor >= shortest:
        free.append(Slot(cursor, day.end))
    return free


def first_common_slot(calendars, day, length):
    """The earliest slot of a length that is free in all calendars, or None."""
    everyone = [slot for calendar in calendars for slot in calendar]
    for slot in free_slots(everyone, day, shortest=length):
        return Slot(slot.start, slot.start + length)
    return None
