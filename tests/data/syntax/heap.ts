interface Ordered<T> {
  compare(left: T, right: T): number;
  merge(other: Ordered<T>, by: string, limit?: number): Ordered<T>;
}

class Heap<T extends object> implements Ordered<T> {
  private items: T[] = [];

  push(item: T, key: string = "k"): void {
    this.items.push(item);
    let place: number = this.items.length - 1;
    while (place > 0 && this.items[place] < this.items[(place - 1) >> 1]) {
      place = (place - 1) >> 1;
    }
  }
}

const drain = (heap: Heap<object>, limit: number = 10): object[] => {
  const taken = { first: [] as object[], rest: null };
  for (const index of heap.range(limit)) {
    taken.first.push(`${heap.pop()} of ${index + 1}`);
  }
  return taken.first!;
};
