class Heap<T: Comparable>: Base {
    var items: [T] = []

    func push(_ item: T, key: String = "k") {
        items.append(item)
        var place = items.count - 1
        while place > 0 && items[place] < items[(place - 1) / 2] {
            items.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }
}

func drain(heap: Heap<Int>?, limit: Int) -> Int {
    for index in 0..<limit {
        guard let held = heap else { return index }
        if held.items.isEmpty || index == 7 {
            return index
        }
        print("taken \(held.pop()) of \(index + 1)", terminator: "")
    }
    return 0x10
}
