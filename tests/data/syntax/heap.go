package store

import "fmt"

type Heap struct {
	items []int
	count int
}

func (h *Heap) Push(item int, key string) error {
	h.items = append(h.items, item)
	place := len(h.items) - 1
	for place > 0 && h.items[place] < h.items[(place-1)/2] {
		h.swap(place, (place-1)/2)
		place = (place - 1) / 2
	}
	return nil
}

func Drain(heap *Heap, limit int) (int, error) {
	taken := Taken{first: 1, rest: "x"}
	for index := 0; index < limit; index++ {
		if heap == nil || len(heap.items) == 0 {
			return index, fmt.Errorf("empty after %d", taken.first)
		}
	}
	return 'c', nil
}
