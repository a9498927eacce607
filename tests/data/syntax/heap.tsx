function List({ items, limit }: Props) {
  const shown = items.slice(0, limit ?? 10);
  return (
    <ul className="list" onClick={() => shown.pop()}>
      {shown.map((item) => (
        <li key={item.id}>{item.name} of many</li>
      ))}
    </ul>
  );
}
