package org.example;

class Heap<T extends Comparable<T>> {
  private final List<T> items = new ArrayList<>();

  @Override
  public void push(T item) {
    items.add(item);
    int place = items.size() - 1;
    while (place > 0 && items.get(place).compareTo(items.get((place - 1) / 2)) < 0) {
      swap(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }

  static int drain(Heap<String> heap, int limit) {
    for (int index = 0; index < limit; index++) {
      if (heap == null || heap.items.isEmpty()) {
        return index;
      }
      System.out.println("taken " + heap.pop() + 'c' + 1.5e3);
    }
    return -1;
  }
}
