push() {
  local item=$1 key="k"
  items+=("$item")
  place=$((${#items[@]} - 1))
  while [ "$place" -gt 0 ] && less "$place" "$(((place - 1) / 2))"; do
    swap "$place" "$(((place - 1) / 2))"
    place=$(((place - 1) / 2))
  done
  echo "taken ${item} of $place" 'rest' > "$key"
}
