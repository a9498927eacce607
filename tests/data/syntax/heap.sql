CREATE FUNCTION drain(heap_id INT, room INT) RETURNS INT AS $$
  SELECT i.item, COUNT(*) AS taken
  FROM items AS i
  JOIN heaps AS h ON h.id = i.heap_id
  WHERE i.place > 0 AND h.name LIKE 'k%' OR i.weight >= 1.5
  GROUP BY i.item
  ORDER BY taken DESC
  LIMIT 10
$$ LANGUAGE sql;
