struct heap {
  int *items;
  size_t count, room;
  struct heap *next;
  void (*on_full)(struct heap *heap, int item);
  char name[16];
  double load;
};

static int *push(struct heap *heap, const int item) {
  size_t place = heap->count++;
  heap->items[place] = item;
  while (place > 0 && heap->items[place] < heap->items[(place - 1) / 2]) {
    swap(&heap->items[place], &heap->items[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  return heap->count == heap->room ? NULL : heap->items;
}
