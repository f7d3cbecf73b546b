//! What is a list of names? A macro for the field-less enums that label counters, so that a
//! label's name, its meaning and Linux's name for it stand in one place.

/// Declares a field-less enum whose variants are labels of counters. A variant's doc comment is its
/// meaning; `=> "TcpExtName"` is what Linux's `nstat` calls the counter. Others are called by the
/// prefix and their variant.
///
/// Adds `COUNT`, `ALL` (in the order of the variants), `name`, `meaning` and `nstat`.
#[macro_export]
#[doc(hidden)]
macro_rules! labels {
    (
        $(#[$attribute:meta])*
        pub enum $Label:ident, $prefix:literal {
            $( $(#[doc = $meaning:literal])+ $variant:ident $(=> $nstat:literal)? ),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum $Label {
            $( $(#[doc = $meaning])+ $variant ),+
        }

        impl $Label {
            /// All, in the order of their counters.
            pub const ALL: &[$Label] = &[$($Label::$variant),+];

            /// How many there are, for a table of counters.
            pub const COUNT: usize = $Label::ALL.len();

            /// The name, for tables and traces.
            pub const fn name(self) -> &'static str {
                match self { $($Label::$variant => stringify!($variant)),+ }
            }

            /// What it means, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self { $($Label::$variant => concat!($($meaning),+).trim_ascii()),+ }
            }

            /// The name of its counter: Linux's, if Linux has the same.
            pub const fn nstat(self) -> &'static str {
                match self {
                    $($Label::$variant => $crate::labels!(@name $prefix, $variant $(, $nstat)?)),+
                }
            }
        }
    };
    (@name $prefix:literal, $variant:ident, $nstat:literal) => { $nstat };
    (@name $prefix:literal, $variant:ident) => { concat!($prefix, stringify!($variant)) };
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro makes public enums")]
mod tests {
    crate::labels! {
        /// For the test.
        pub enum Fruit, "Tree" {
            /// Red,
            /// or green.
            Apple => "Malus",
            /// Yellow.
            Banana,
        }
    }

    #[test]
    fn a_label_has_its_place_name_meaning_and_linux_name() {
        assert_eq!((Fruit::COUNT, Fruit::ALL), (2, &[Fruit::Apple, Fruit::Banana][..]));
        assert_eq!(Fruit::Banana as usize, 1);
        assert_eq!((Fruit::Apple.name(), Fruit::Apple.meaning()), ("Apple", "Red, or green."));
        assert_eq!((Fruit::Apple.nstat(), Fruit::Banana.nstat()), ("Malus", "TreeBanana"));
    }
}
