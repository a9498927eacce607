pub struct Heap<T> {
    items: Vec<T>,
}

impl<T: Ord> Heap<T> {
    pub fn push(&mut self, item: T, key: &str) -> usize {
        self.items.push(item);
        let mut place = self.items.len() - 1;
        while place > 0 && self.items[place] < self.items[(place - 1) / 2] {
            self.items.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        place
    }
}

fn drain(heap: &mut Heap<u32>, limit: usize) -> Option<Taken> {
    let taken = Taken { first: 1, rest: "x" };
    for index in 0..limit {
        match heap.pop() {
            Some(item) => println!("{} {}", item, index + 1),
            None => return Some(taken),
        }
    }
    None
}
