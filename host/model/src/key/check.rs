//! Whether bytes from outside, as from a checkpoint, are a key.

use super::decode::{flag, float_bits, take_byte, take_word};
use crate::schema::{Kind, Schema, Type};

/// Bytes that are not what [`encode`](super::encode) makes of a key of the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no canonical key of `{schema}`")]
pub struct InvalidKey {
    schema: String,
}

/// Looks at whether `key` is the canonical bytes of some key of `schema`: those that [`encode`](super::encode) writes,
/// text in UTF-8. Such bytes can be given to [`decode`](super::decode), which does not look.
///
/// # Errors
/// They are not.
pub fn check_key(schema: &Schema, key: &[u8]) -> Result<(), InvalidKey> {
    let mut bytes = key;
    let last = schema.len().saturating_sub(1);
    let read = schema.fields().iter().enumerate().try_for_each(|(i, field)| value(&field.ty, &mut bytes, i == last));
    match read {
        Some(()) if bytes.is_empty() => Ok(()),
        _ => Err(InvalidKey { schema: schema.to_string() }),
    }
}

/// Takes one value off the front of `bytes`.
fn value(ty: &Type, bytes: &mut &[u8], ends_key: bool) -> Option<()> {
    if ty.optional && !flag(take_byte(bytes)?)? {
        return Some(());
    }
    match &ty.kind {
        Kind::Boolean => flag(take_byte(bytes)?).map(|_| ()),
        Kind::Integer | Kind::Timestamp => take_word(bytes).map(|_| ()),
        Kind::Float => is_canonical(float_bits(take_word(bytes)?)).then_some(()),
        Kind::Text if ends_key => str::from_utf8(std::mem::take(bytes)).ok().map(|_| ()),
        Kind::Bytes if ends_key => {
            *bytes = &[];
            Some(())
        }
        Kind::Text => escaped(bytes, |piece| str::from_utf8(piece).is_ok()),
        Kind::Bytes => escaped(bytes, |_| true),
        Kind::List(item) => {
            while flag(take_byte(bytes)?)? {
                value(item, bytes, false)?;
            }
            Some(())
        }
        Kind::Record(schema) => schema.fields().iter().try_for_each(|field| value(&field.ty, bytes, false)),
        Kind::Any => None,
    }
}

/// Whether a key has a float of these bits: not -0.0, and of the NaNs only the one.
fn is_canonical(bits: u64) -> bool {
    let float = f64::from_bits(bits);
    bits != 1 << 63 && (!float.is_nan() || bits == 0x7ff8_0000_0000_0000)
}

/// Takes an escaped text or bytes. A text is UTF-8 if each piece between zeros is: in UTF-8 a 0 is a character itself.
fn escaped(bytes: &mut &[u8], is_piece: impl Fn(&[u8]) -> bool) -> Option<()> {
    loop {
        let zero = bytes.iter().position(|&byte| byte == 0)?;
        let (piece, rest) = bytes.split_at(zero);
        let (mark, rest) = rest.split_first_chunk::<2>()?;
        *bytes = rest;
        match mark[1] {
            _ if !is_piece(piece) => return None,
            0 => return Some(()),
            0xff => {}
            _ => return None,
        }
    }
}
