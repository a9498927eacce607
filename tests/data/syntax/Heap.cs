namespace Store {
  public class Heap<T> : Base<T> {
    private readonly List<T> items = new List<T>();

    public void Push(T item, string key = "k") {
      this.items.Add(item);
      var place = items.Count - 1;
      while (place > 0 && Compare(items[place], items[(place - 1) / 2]) < 0) {
        Swap(place, other: (place - 1) / 2);
        place = (place - 1) / 2;
      }
    }

    static int Drain(Heap<string> heap, int limit) {
      for (int index = 0; index < limit; index++) {
        if (heap is null || heap?.items == null) {
          return index;
        }
        Console.WriteLine($"{heap.Pop()} of {index + 1}" + 'c');
      }
      return -1;
    }
  }
}
