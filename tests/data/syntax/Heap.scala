class Heap[T](val limit: Int) extends Base[T] {
  private var items: List[T] = Nil

  override def push(item: T, key: String = "k"): Unit = {
    items = item :: items
    var place = items.size - 1
    while (place > 0 && less(items(place), items((place - 1) / 2))) {
      swap(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }
}

object Heap {
  def drain(heap: Heap[Int], limit: Int): Option[Int] = {
    for (index <- 0 until limit) {
      if (heap == null || heap.items.isEmpty) {
        return Some(index)
      }
      println(s"taken ${heap.pop()} of $index" + 'c')
    }
    heap.items match {
      case Nil => None
      case first :: rest => Some(2)
    }
  }
}
