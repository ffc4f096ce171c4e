//! Reading and writing through pointers that C handed in.
//!
//! What the host promises, and nothing in here can check: a pointer that is not NULL is valid for its
//! type for the whole call, is not written by another thread meanwhile, and an object pointer came
//! from this library and was not freed.

use crate::facade::{Error, Status};

/// The object behind `pointer`.
pub(super) fn object<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Error> {
    // SAFETY: not NULL means valid for the call, see the module; callers do not keep it longer.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The `count` elements behind `pointer`, which may be NULL when there are none.
pub(super) fn array<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    let bytes = count.checked_mul(size_of::<T>());
    let fits = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if !fits || !pointer.is_aligned() {
        let message = format!("{name}: no array has {count} elements there");
        return Err(Error::new(Status::InvalidArgument, message));
    }
    // SAFETY: not NULL and aligned, so valid for `count` elements during the call, see the module;
    // their size fits in isize.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// The place behind `pointer`, to be written with [`Out::set`].
pub(super) fn out<T>(pointer: *mut T, name: &str) -> Result<Out<T>, Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    Ok(Out(pointer))
}

/// A place that may be absent.
pub(super) fn maybe_out<T>(pointer: *mut T) -> Option<Out<T>> {
    (!pointer.is_null()).then_some(Out(pointer))
}

/// Writes an attribute if there is one and a place for it.
pub(super) fn attribute<T>(pointer: *mut T, value: Option<T>) -> bool {
    match (maybe_out(pointer), value) {
        (Some(out), Some(value)) => {
            out.set(value);
            true
        }
        _ => false,
    }
}

/// A place that C gave us for an output.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    pub(super) fn set(self, value: T) {
        // SAFETY: not NULL, checked when it was made, so valid for a write, see the module. What was
        // there before is plain data without a destructor or not yet initialised.
        unsafe { self.0.write(value) };
    }
}

/// Takes back an object that [`give`] handed out; `None` for NULL.
pub(super) fn take<T>(pointer: *mut T) -> Option<Box<T>> {
    // SAFETY: not NULL means it came from `give` and was not freed, see the module.
    (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
}

/// Hands an object to C, which gives it back to [`take`].
pub(super) fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// A struct that begins with `uint32_t struct_size` and only grows at its end.
///
/// # Safety
/// The struct is `repr(C)`, begins with a `u32`, and every bit pattern is a valid value of it.
pub(super) unsafe trait Versioned: Copy {
    /// Its size in the first release that had it.
    const FIRST_SIZE: usize;
    /// What a host that does not know a field gets.
    const DEFAULT: Self;
}

/// More than any release will have; a larger size is a forgotten initialisation.
const LARGEST: usize = 4096;

/// Copies what the host knows of the struct over its defaults.
pub(super) fn versioned<T: Versioned>(pointer: *const T, name: &str) -> Result<T, Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if !pointer.is_aligned() {
        let message = format!("{name} is not aligned");
        return Err(Error::new(Status::InvalidArgument, message));
    }
    // SAFETY: not NULL and aligned; every versioned struct begins with a u32 (`Versioned`).
    let theirs = unsafe { pointer.cast::<u32>().read() };
    let theirs = usize::try_from(theirs).unwrap_or(usize::MAX);
    if !(T::FIRST_SIZE..=LARGEST).contains(&theirs) {
        let message = format!(
            "{name}: struct_size is {theirs}; set it to sizeof, at least {}",
            T::FIRST_SIZE
        );
        return Err(Error::new(Status::StructSize, message));
    }
    let mut ours = T::DEFAULT;
    let known = theirs.min(size_of::<T>());
    // SAFETY: the host says that `theirs` bytes are there, `known` is not more, and `ours` is a
    // separate place of at least `known` bytes, for which any bytes are a valid value.
    unsafe {
        std::ptr::copy_nonoverlapping(
            pointer.cast::<u8>(),
            std::ptr::from_mut(&mut ours).cast::<u8>(),
            known,
        );
    }
    Ok(ours)
}

/// Writes as much of `value` as the host knows, whose `struct_size` says how much that is.
pub(super) fn fill<T: Versioned>(pointer: *mut T, value: T, name: &str) -> Result<(), Error> {
    let theirs = versioned(pointer.cast_const(), name)?;
    // SAFETY: `versioned` found it to be not NULL, aligned and of a known size; a versioned struct
    // begins with a u32 (`Versioned`).
    let size = unsafe { (&raw const theirs).cast::<u32>().read() };
    let known = usize::try_from(size).unwrap_or(0).min(size_of::<T>());
    // SAFETY: the host says that `size` bytes are there, and `known` is not more; `value` is a
    // separate place of at least `known` bytes. The first four, which are the size, stay.
    unsafe {
        std::ptr::copy_nonoverlapping(
            (&raw const value).cast::<u8>().add(size_of::<u32>()),
            pointer.cast::<u8>().add(size_of::<u32>()),
            known.saturating_sub(size_of::<u32>()),
        );
    }
    Ok(())
}

pub(super) fn null(name: &str) -> Error {
    Error::new(Status::NullPointer, format!("{name} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Probe {
        struct_size: u32,
        old: u32,
        new: u32,
    }

    // SAFETY: repr(C), a u32 first, only integers.
    unsafe impl Versioned for Probe {
        const FIRST_SIZE: usize = 8;
        const DEFAULT: Self = Self {
            struct_size: 12,
            old: 0,
            new: 77,
        };
    }

    fn probe(struct_size: u32) -> Probe {
        Probe {
            struct_size,
            old: 1,
            new: 2,
        }
    }

    #[test]
    fn a_field_the_host_does_not_know_keeps_its_default() {
        let read = versioned(&probe(8), "probe").unwrap();
        assert_eq!((read.old, read.new), (1, 77));
        let read = versioned(&probe(12), "probe").unwrap();
        assert_eq!((read.old, read.new), (1, 2));
    }

    #[test]
    fn a_size_below_the_first_release_or_out_of_all_reason_is_refused() {
        for size in [0, 7, 4097, u32::MAX] {
            let error = versioned(&probe(size), "probe").unwrap_err();
            assert_eq!(error.status(), Status::StructSize, "{size}");
        }
    }

    #[test]
    fn an_array_that_cannot_be_there_is_refused() {
        let status = |array: Result<&[u64], Error>| array.err().map(|error| error.status());
        assert_eq!(array::<u64>(std::ptr::null(), 0, "x").unwrap(), [0; 0]);
        let null = array(std::ptr::null(), 1, "x");
        assert_eq!(status(null), Some(Status::NullPointer));
        let invalid = Some(Status::InvalidArgument);
        let numbers = [1, 2, 3];
        assert_eq!(array(numbers.as_ptr(), 3, "x").unwrap(), numbers);
        for count in [usize::MAX, usize::MAX / 8] {
            assert_eq!(status(array(numbers.as_ptr(), count, "x")), invalid);
        }
        let odd = std::ptr::without_provenance(4097);
        assert_eq!(status(array(odd, 1, "x")), invalid);
    }

    #[test]
    fn null_and_unaligned_pointers_are_told_apart() {
        let null = versioned::<Probe>(std::ptr::null(), "probe").unwrap_err();
        assert_eq!(null.status(), Status::NullPointer);
        let odd = std::ptr::without_provenance::<Probe>(4097);
        let error = versioned(odd, "probe").unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }
}
