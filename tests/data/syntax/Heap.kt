class Heap<T : Comparable<T>> : Base<T>() {
    private val items = mutableListOf<T>()

    override fun push(item: T, key: String = "k") {
        items.add(item)
        var place = items.size - 1
        while (place > 0 && items[place] < items[(place - 1) / 2]) {
            swap(place, other = (place - 1) / 2)
            place = (place - 1) / 2
        }
    }
}

fun drain(heap: Heap<Int>?, limit: Int): Int {
    for (index in 0 until limit) {
        if (heap == null || heap.items.isEmpty()) {
            return index
        }
        println("taken ${heap.pop()} of ${index + 1}" + 'c')
    }
    return when (limit) {
        1 -> 2
        else -> 3L
    }
}
