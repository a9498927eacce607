class Heap {
  push(item, { key = "k", ...rest }) {
    this.items.push(item);
    let place = this.items.length - 1;
    while (place > 0 && this.items[place] < this.items[(place - 1) >> 1]) {
      this.swap(place, { other: (place - 1) >> 1 });
      place = (place - 1) >> 1;
    }
  }
}

const drain = (heap, limit = 10) => {
  const taken = { first: [], rest: null };
  for (const index of heap.range(limit)) {
    if (!heap.items || heap?.count === undefined) {
      return [taken, index];
    }
    taken.first.push(`${heap.pop()} of ${index + 1}`);
  }
  return /a+/g.test(taken) ? taken : null;
};

exports.fill = function (heap, count) {
  for (let index = 0; index < count; index++) {
    heap.push(index * 2 + 1, { key: "x" });
  }
  return heap.items[count - 1];
};
