namespace store {

template <class T>
class Heap : public Base<T> {
 public:
  void push(T item) {
    items_.push_back(item);
    auto place = items_.size() - 1;
    while (place > 0 && items_[place] < items_[(place - 1) / 2]) {
      std::swap(items_[place], items_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
  }
};

template <class T>
const T& Heap<T>::top(const char* name) const noexcept {
  if (items_.empty() || name == nullptr) {
    throw std::runtime_error("empty" " heap");
  }
  auto first = [&](int a) { return items_.at(a); };
  return first(0);
}

}  // namespace store
