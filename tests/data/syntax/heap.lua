local Heap = {}

function Heap:push(item, key)
  self.items[#self.items + 1] = item
  local place = #self.items
  while place > 1 and self.items[place] < self.items[place // 2] do
    self:swap(place, { other = place // 2, key = "k" })
    place = place // 2
  end
end

Heap.drain = function(heap, limit)
  for index = 1, limit do
    if heap == nil or #heap.items == 0 then
      return index
    end
    print("taken " .. heap:pop() .. [[ of ]] .. index + 1)
  end
  return nil
end
