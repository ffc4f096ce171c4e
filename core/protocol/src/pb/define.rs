//! `declare!`: protobuf declarations that become a prost struct and a table of its fields, so that a
//! test can compare what is compiled with the schema.

/// Declares messages and enums.
///
/// ```text
/// message RustName = "Schema.Path" { optional uint32 name = 1; .. }
/// codes   RustName = "Schema.Path" { NAME = 0, .. }
/// ```
///
/// Field kinds: a scalar, `message T`, `boxed T`, `enum T`, `raw` (a message kept as its bytes).
macro_rules! declare {
    ($($(#[$doc:meta])* $what:ident $name:ident = $path:literal { $($body:tt)* })+) => {
        pub(super) const DECLARED: &[$crate::pb::Declared] = &[$($name::DECLARED),+];
        $(declare! { @$what [$(#[$doc])*] $name $path $($body)* })+
    };

    (@codes [$($doc:tt)*] $name:ident $path:literal $($code:ident = $number:literal),+ $(,)?) => {
        $($doc)*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl $name {
            $(
                #[doc = concat!("`", stringify!($code), "`.")]
                pub const $code: i32 = $number;
            )+
            const DECLARED: $crate::pb::Declared =
                $crate::pb::Declared::Codes($path, &[$((stringify!($code), $number)),+]);
        }

        impl $crate::pb::Described for $name {
            const PATH: &'static str = $path;
        }
    };

    (@message [$($doc:tt)*] $name:ident $path:literal $($body:tt)*) => {
        declare! { @fields [[$($doc)*] $name $path] {} [] $($body)* }
    };

    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        optional message $type:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost(message, optional, tag = $number)] [$name: Option<$type>, $number]}
            [$($row)* ($number, $name, "optional", <$type as $crate::pb::Described>::PATH)]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        optional boxed $type:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost(message, optional, boxed, tag = $number)]
                [$name: Option<Box<$type>>, $number]}
            [$($row)* ($number, $name, "optional", <$type as $crate::pb::Described>::PATH)]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        repeated message $type:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost(message, repeated, tag = $number)] [$name: Vec<$type>, $number]}
            [$($row)* ($number, $name, "repeated", <$type as $crate::pb::Described>::PATH)]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        optional enum $type:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost(int32, optional, tag = $number)] [$name: Option<i32>, $number]}
            [$($row)* ($number, $name, "optional", <$type as $crate::pb::Described>::PATH)]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        optional raw $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost(bytes = "vec", optional, tag = $number)]
                [$name: Option<Vec<u8>>, $number]}
            [$($row)* ($number, $name, "optional", "raw")]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        optional $kind:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost($kind, optional, tag = $number)]
                [$name: Option<declare!(@type $kind)>, $number]}
            [$($row)* ($number, $name, "optional", stringify!($kind))]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        repeated $kind:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost($kind, repeated, tag = $number)]
                [$name: Vec<declare!(@type $kind)>, $number]}
            [$($row)* ($number, $name, "repeated", stringify!($kind))]
            $($rest)* }
    };
    (@fields $head:tt {$($field:tt)*} [$($row:tt)*]
        packed $kind:ident $name:ident = $number:tt; $($rest:tt)*) => {
        declare! { @fields $head
            {$($field)* #[prost($kind, repeated, packed = "true", tag = $number)]
                [$name: Vec<declare!(@type $kind)>, $number]}
            [$($row)* ($number, $name, "packed", stringify!($kind))]
            $($rest)* }
    };

    (@fields [[$($doc:tt)*] $struct:ident $path:literal]
        {$(#[$prost:meta] [$field:ident: $type:ty, $tag:tt])*}
        [$(($number:tt, $name:ident, $label:literal, $kind:expr))*]) => {
        $($doc)*
        #[derive(Clone, PartialEq, ::prost::Message)]
        #[prost(skip_debug)]
        pub struct $struct {
            $(
                #[doc = concat!("Field ", $tag, " of the schema.")]
                #[$prost]
                pub $field: $type,
            )*
        }

        impl $struct {
            const DECLARED: $crate::pb::Declared = $crate::pb::Declared::Message($path, &[
                $($crate::pb::Field {
                    number: $number,
                    name: stringify!($name),
                    label: $label,
                    kind: $kind,
                }),*
            ]);
        }

        impl $crate::pb::Described for $struct {
            const PATH: &'static str = $path;
        }

        impl ::core::fmt::Debug for $struct {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let length = ::prost::Message::encoded_len(self);
                write!(f, concat!(stringify!($struct), "({} bytes)"), length)
            }
        }
    };

    (@type bool) => { bool };
    (@type bytes) => { Vec<u8> };
    (@type double) => { f64 };
    (@type fixed32) => { u32 };
    (@type fixed64) => { u64 };
    (@type int32) => { i32 };
    (@type int64) => { i64 };
    (@type sfixed32) => { i32 };
    (@type string) => { String };
    (@type uint32) => { u32 };
    (@type uint64) => { u64 };
}
