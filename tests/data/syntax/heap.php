<?php
class Heap extends Base {
  private array $items = [];

  public function push(int $item, string $key = 'k'): void {
    $this->items[] = $item;
    $place = count($this->items) - 1;
    while ($place > 0 && $this->items[$place] < $this->items[($place - 1) / 2]) {
      $this->swap($place, other: ($place - 1) / 2);
      $place = ($place - 1) / 2;
    }
  }
}

function drain(Heap $heap, int $limit) {
  for ($index = 0; $index < $limit; $index++) {
    if ($heap === null || !$heap->items) {
      return $index;
    }
    echo "$index of {$heap->pop()}" . Heap::LAST;
  }
  return ['first' => 1.5, 'rest' => null];
}
