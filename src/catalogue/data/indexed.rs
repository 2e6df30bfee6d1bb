//! Lists of entries by name, in the order of their file.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Entry;

/// Named lists of entries, for example all dictionaries. The order of the file is kept: forms show it.
#[derive(Debug, Clone, Default)]
pub struct Named {
    lists: Vec<(String, Vec<Entry>)>,
}

impl Named {
    /// Named lists, in this order.
    pub fn new(lists: Vec<(String, Vec<Entry>)>) -> Self {
        Self { lists }
    }

    /// Every list with its name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[Entry])> {
        self.lists.iter().map(|(name, entries)| (name.as_str(), entries.as_slice()))
    }

    /// The list with a name; none when there is no such list.
    pub fn list(&self, name: &str) -> Option<&[Entry]> {
        self.all().find(|(known, _)| *known == name).map(|(_, entries)| entries)
    }

    /// An entry of a list.
    pub fn find(&self, name: &str, code: &str) -> Option<&Entry> {
        self.list(name)?.iter().find(|entry| entry.code == code)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Named;

            fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                text.write_str("an object of lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut lists = Vec::new();
                while let Some(list) = map.next_entry()? {
                    lists.push(list);
                }
                Ok(Named { lists })
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
