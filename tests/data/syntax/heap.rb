module Store
  class Heap < Base
    attr_reader :items

    def push(item, key: "k", &block)
      @items.push(item)
      place = @items.length - 1
      while place > 0 && @items[place] < @items[(place - 1) / 2]
        swap(place, other: (place - 1) / 2)
        place = (place - 1) / 2
      end
    end

    def self.drain(heap, limit = 10)
      taken = { first: [], :rest => nil }
      limit.times do |index|
        return taken if heap.nil? || heap.items.empty?
        taken[:first].push("#{heap.pop} of #{index + 1}")
      end
      taken
    end
  end
end
