//! Encoders from values. What they borrow is leaked: a test's process is short.

use klamm::wire::Uuid;
use klamm_codegen::reference::Value;

/// What can be made of a value.
pub(crate) trait Make: Sized {
    fn make(value: &Value) -> Self;
}

/// The values of a structure's fields.
pub(crate) fn fields(value: &Value) -> std::slice::Iter<'_, Value> {
    let Value::Struct(fields) = value else { panic!("no structure, but {value:?}") };
    fields.iter()
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Make for $type {
            fn make(value: &Value) -> Self {
                let Value::Integer(value) = value else { panic!("no integer, but {value:?}") };
                <$type>::try_from(*value).expect("within the field's type")
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u16, u32);

macro_rules! others {
    ($($type:ty: $kind:ident, $value:ident => $make:expr;)*) => {$(
        impl Make for $type {
            fn make(value: &Value) -> Self {
                let Value::$kind($value) = value else { panic!("of another type: {value:?}") };
                $make
            }
        }
    )*};
}

others! {
    bool: Bool, value => *value;
    f64: Float, value => *value;
    Uuid: Uuid, value => Uuid(*value);
    &'static str: Text, value => value.clone().leak();
    &'static [u8]: Bytes, value => value.clone().leak();
    usize: Bytes, value => value.len();
}

impl<T: Make> Make for &'static [T] {
    fn make(value: &Value) -> Self {
        let Value::List(values) = value else { panic!("no array, but {value:?}") };
        values.iter().map(T::make).collect::<Vec<T>>().leak()
    }
}

impl<T: Make> Make for Option<T> {
    fn make(value: &Value) -> Self {
        if *value == Value::Null { None } else { Some(T::make(value)) }
    }
}
