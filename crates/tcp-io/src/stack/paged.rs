//! Where do the records of a table lie that may have a million entries? In pages, so that the table
//! grows without moving what it has: a `Vec` of 80 MiB needs 120 while it grows, and the stack's
//! lock for as long as the copy takes.

use slab::Slab;

/// Records of a page.
const PAGE: usize = 1024;

/// Records in slots that stay theirs.
#[derive(Debug)]
pub(super) struct Paged<T> {
    pages: Vec<Slab<T>>,
    /// Pages that have room, each once. The last is filled first.
    open: Vec<u32>,
    /// Pages that hold memory.
    held: usize,
    len: usize,
}

impl<T> Paged<T> {
    pub(super) const fn new() -> Paged<T> {
        Paged { pages: Vec::new(), open: Vec::new(), held: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// No slot at or beyond this is taken.
    pub(super) fn places(&self) -> usize {
        self.pages.len() * PAGE
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (page, place) = parts(slot);
        self.pages.get(page)?.get(place)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (page, place) = parts(slot);
        self.pages.get_mut(page)?.get_mut(place)
    }

    pub(super) fn insert(&mut self, record: T) -> u32 {
        let number = self.open.last().copied().unwrap_or_else(|| {
            self.open.push(self.pages.len() as u32);
            self.pages.push(Slab::new());
            self.pages.len() as u32 - 1
        });
        let page = &mut self.pages[number as usize];
        self.held += usize::from(page.capacity() == 0);
        let place = page.insert(record);
        if page.len() == PAGE {
            self.open.pop();
        }
        self.len += 1;
        number * PAGE as u32 + place as u32
    }

    pub(super) fn try_remove(&mut self, slot: u32) -> Option<T> {
        let (number, place) = parts(slot);
        let page = self.pages.get_mut(number)?;
        let record = page.try_remove(place)?;
        self.len -= 1;
        if page.len() == PAGE - 1 {
            self.open.push(number as u32);
        }
        // A page of room is kept, so that one record that comes and goes costs no allocation.
        if page.is_empty() && self.held * PAGE >= self.len + 2 * PAGE {
            *page = Slab::new();
            self.held -= 1;
        }
        if self.len == 0 && self.pages.len() > 1 {
            *self = Paged::new();
        }
        Some(record)
    }
}

/// A slot's page, and its place there.
fn parts(slot: u32) -> (usize, usize) {
    (slot as usize / PAGE, slot as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{PAGE, Paged};

    fn capacity<T>(p: &Paged<T>) -> usize {
        p.pages.iter().map(|page| page.capacity()).sum()
    }

    #[test]
    fn memory_follows_the_records_by_pages() {
        let mut table = Paged::new();
        let slots: Vec<u32> = (0..10 * PAGE as u32).map(|n| table.insert(n)).collect();
        assert_eq!(
            (table.len(), table.places(), capacity(&table)),
            (10 * PAGE, 10 * PAGE, 10 * PAGE)
        );
        for slot in &slots[..8 * PAGE] {
            table.try_remove(*slot).unwrap();
        }
        assert_eq!((table.held, capacity(&table)), (3, 3 * PAGE));
        // What is there keeps its place.
        assert!(slots[8 * PAGE..].iter().all(|slot| table.get(*slot) == Some(slot)));
        for slot in &slots[8 * PAGE..] {
            table.try_remove(*slot).unwrap();
        }
        assert_eq!((table.places(), capacity(&table)), (0, 0));
    }

    #[test]
    fn one_record_at_the_edge_of_a_page_allocates_once() {
        let mut table = Paged::new();
        for n in 0..PAGE as u32 {
            table.insert(n);
        }
        let over = table.insert(0);
        let held = capacity(&table);
        for _ in 0..3 {
            table.try_remove(over).unwrap();
            assert_eq!(capacity(&table), held);
            assert_eq!(table.insert(1), over);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(ops in prop::collection::vec((0u8..5, any::<u16>()), 1..3000)) {
            let (mut table, mut model) = (Paged::new(), HashMap::new());
            for (op, n) in ops {
                match op {
                    0 => prop_assert_eq!(table.try_remove(u32::from(n)), model.remove(&u32::from(n))),
                    1 => if let Some(slot) = model.keys().nth(usize::from(n) % model.len().max(1)).copied() {
                        prop_assert_eq!(table.try_remove(slot), model.remove(&slot));
                    },
                    _ => {
                        let slot = table.insert(n);
                        prop_assert_eq!(model.insert(slot, n), None);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.is_empty(), model.is_empty());
            }
            for (slot, n) in &model {
                prop_assert_eq!(table.get(*slot), Some(n));
                prop_assert!((*slot as usize) < table.places());
            }
        }
    }
}
