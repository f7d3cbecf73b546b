//! What can a fuzzer do to us? Structured inputs and the invariants that hold after each of their
//! steps. The fuzz targets search these inputs; the tests run seeded ones and the kept seeds.

pub mod pair;
pub mod stack;

mod datagrams;
pub(crate) mod deadlines;
pub(crate) mod packet;
mod peer;
mod requests;
mod side;
mod wire;

use arbitrary::{Arbitrary, Unstructured};

/// One of two ends.
#[derive(Arbitrary, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// The end that opens actively.
    A,
    /// The other end.
    B,
}

impl Who {
    /// The end at the other side.
    pub fn other(self) -> Who {
        match self {
            Who::A => Who::B,
            Who::B => Who::A,
        }
    }
}

/// Octet `i` of what an end writes.
pub(crate) fn octet(who: Who, i: u64) -> u8 {
    let salt = if who == Who::A { 0x5bd1 } else { 0xc6a4 };
    ((i ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Steps of a run: as many as the octets give, instead of stopping at the first even one as a
/// derived `Vec` does.
#[derive(Clone, Debug)]
pub(crate) struct Steps<T>(pub(crate) Vec<T>);

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for Steps<T> {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Steps<T>> {
        let mut all = Vec::new();
        while !u.is_empty() {
            all.push(u.arbitrary()?);
        }
        Ok(Steps(all))
    }
}

/// Up to `MOST` octets, every length as likely as another.
#[derive(Clone, Debug)]
pub(crate) struct Blob<const MOST: usize>(pub(crate) Vec<u8>);

impl<'a, const MOST: usize> Arbitrary<'a> for Blob<MOST> {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Blob<MOST>> {
        let len = u.int_in_range(0..=MOST)?;
        Ok(Blob(u.bytes(len.min(u.len()))?.to_vec()))
    }
}

/// Makes an input of a fuzz target from octets, as the fuzzer does.
pub fn from_octets<T: for<'a> Arbitrary<'a>>(octets: &[u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(octets)).ok()
}

/// `len` octets that follow from `seed`.
pub fn seeded_octets(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}
