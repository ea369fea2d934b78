//! `#[derive(Record)]`: a pair of a reader and a writer, one column or more a field.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Ident, LitStr, Type, ext::IdentExt, spanned::Spanned};

use crate::types::{all, check_name, check_value, with_lifetime};

/// A checked struct.
struct Record {
    item: DeriveInput,
    fields: Vec<RecordField>,
}

struct RecordField {
    ident: Ident,
    /// The name in rows.
    name: String,
    ty: Type,
}

/// An error comes with implementations that do nothing, so that it is told alone, and not once more wherever the type is used.
pub fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let nothing = nothing_of(&item);
    Record::parse(item).map(|record| record.implementations()).or_else(|error| {
        let error = error.into_compile_error();
        Ok(code!(#error #nothing))
    })
}

/// What makes a type a record as far as the compiler is concerned.
fn nothing_of(item: &DeriveInput) -> TokenStream {
    let (ident, types) = (&item.ident, item.generics.split_for_impl());
    let (generics, ty, bounds) = types;
    let mut read = item.generics.clone();
    read.params.insert(0, syn::parse_quote!('__row));
    let (read, _, _) = read.split_for_impl();
    let unreachable = code!(::core::unreachable!("the record does not compile"));
    code! {
        #[allow(unused, reason = "it has an error of its own")]
        const _: () = {
            use ::tidemill_sdk::__private as __sdk;

            impl #generics __sdk::Value for #ident #ty #bounds {
                fn kind() -> ::std::string::String {
                    #unreachable
                }
            }

            impl #read __sdk::Read<'__row> for #ident #ty #bounds {
                type Reader = ();

                fn open(_: &mut __sdk::Columns<'__row>, _: usize) -> ::core::result::Result<(), __sdk::Malformed> {
                    #unreachable
                }

                fn read(_: &(), _: usize) -> Self {
                    #unreachable
                }
            }

            impl #generics __sdk::Write for #ident #ty #bounds {
                type Writer = <i64 as __sdk::Write>::Writer;

                fn write(&self, _: &mut Self::Writer) {}
            }
        };
    }
}

impl Record {
    fn implementations(&self) -> TokenStream {
        let (reader, writer, value) = (self.reader(), self.writer(), self.value());
        let checks = self.fields.iter().map(|field| {
            let (ty, place) = (with_lifetime(&field.ty, "'static"), Span::mixed_site().located_at(field.ty.span()));
            quote_spanned!(place => __sdk::be_value::<#ty>();)
        });
        code! {
            const _: () = {
                use ::tidemill_sdk::__private as __sdk;

                /// What is no value is told here, once. Whatever hangs on a constant that does not compile is told no more.
                const CHECKED: usize = {
                    #(#checks)*
                    0
                };

                #value
                #reader
                #writer
            };
        }
    }
}

impl Record {
    fn parse(item: DeriveInput) -> syn::Result<Record> {
        check_generics(&item)?;
        let Data::Struct(data) = &item.data else {
            let message = "a Record is a struct with named fields: give what an enum says as a text or integer field";
            return Err(syn::Error::new_spanned(&item.ident, message));
        };
        let Fields::Named(named) = &data.fields else {
            let message = "a Record needs names for its fields: write `struct Name { field: type }`";
            return Err(syn::Error::new_spanned(&item.ident, message));
        };
        if named.named.is_empty() {
            return Err(syn::Error::new_spanned(&item.ident, "a Record needs at least one field"));
        }
        let fields = all(named.named.iter().map(RecordField::parse))?;
        for (place, field) in fields.iter().enumerate() {
            if fields[..place].iter().any(|other| other.name == field.name) {
                let message = format!("two fields have the name `{}`", field.name);
                return Err(syn::Error::new_spanned(&field.ident, message));
            }
        }
        Ok(Record { fields, item })
    }

    /// The struct's type with its lifetime, if it has one, being `lifetime`.
    fn ty(&self, lifetime: &TokenStream) -> TokenStream {
        let ident = &self.item.ident;
        if self.item.generics.params.is_empty() { code!(#ident) } else { code!(#ident<#lifetime>) }
    }

    fn value(&self) -> TokenStream {
        let ty = self.ty(&code!('_));
        let names: Vec<&String> = self.fields.iter().map(|field| &field.name).collect();
        let types: Vec<TokenStream> = self.fields.iter().map(|field| field.checked("'static")).collect();
        code! {
            impl __sdk::Value for #ty {
                fn kind() -> ::std::string::String {
                    __sdk::record_kind(&Self::fields(""))
                }

                fn fields(_name: &str) -> ::std::vec::Vec<__sdk::Field> {
                    ::std::vec![#(__sdk::field::<#types>(#names)),*]
                }
            }
        }
    }

    fn reader(&self) -> TokenStream {
        let ty = self.ty(&code!('r));
        let idents: Vec<&Ident> = self.fields.iter().map(|field| &field.ident).collect();
        let types: Vec<TokenStream> = self.fields.iter().map(|field| field.checked("'r")).collect();
        code! {
            #[derive(Clone, Copy, Default)]
            pub struct Reader<'r> {
                #(#idents: <#types as __sdk::Read<'r>>::Reader,)*
            }

            impl<'r> __sdk::Read<'r> for #ty {
                type Reader = Reader<'r>;

                fn open(
                    columns: &mut __sdk::Columns<'r>,
                    rows: usize,
                ) -> ::core::result::Result<Self::Reader, __sdk::Malformed> {
                    columns.take()?;
                    <Self as __sdk::Read<'r>>::open_row(columns, rows)
                }

                fn open_row(
                    columns: &mut __sdk::Columns<'r>,
                    rows: usize,
                ) -> ::core::result::Result<Self::Reader, __sdk::Malformed> {
                    ::core::result::Result::Ok(Reader {
                        #(#idents: <#types as __sdk::Read<'r>>::open(columns, rows)?,)*
                    })
                }

                #[inline]
                fn read(reader: &Self::Reader, row: usize) -> Self {
                    Self { #(#idents: <#types as __sdk::Read<'r>>::read(&reader.#idents, row),)* }
                }
            }
        }
    }

    fn writer(&self) -> TokenStream {
        let ty = self.ty(&code!('_));
        // Where two records are mixed up the compiler tells of their writers.
        let writer = format_ident!("{}Writer", self.item.ident);
        let idents: Vec<&Ident> = self.fields.iter().map(|field| &field.ident).collect();
        let types: Vec<TokenStream> = self.fields.iter().map(|field| field.checked("'static")).collect();
        let borrowed: Vec<TokenStream> = self.fields.iter().map(|field| field.checked("'_")).collect();
        code! {
            #[derive(Default)]
            pub struct #writer {
                #(#idents: <#types as __sdk::Write>::Writer,)*
            }

            impl __sdk::Write for #ty {
                type Writer = #writer;

                #[inline]
                fn write(&self, writer: &mut #writer) {
                    #(<#borrowed as __sdk::Write>::write(&self.#idents, &mut writer.#idents);)*
                }
            }

            impl __sdk::ColumnWriter for #writer {
                fn reserve(&mut self, rows: usize, bytes: usize) {
                    #(__sdk::ColumnWriter::reserve(&mut self.#idents, rows, bytes);)*
                }

                fn write_blank(&mut self) {
                    #(__sdk::ColumnWriter::write_blank(&mut self.#idents);)*
                }

                fn finish(self, columns: &mut ::std::vec::Vec<__sdk::Column>) {
                    columns.push(__sdk::record_column());
                    __sdk::ColumnWriter::finish_row(self, columns);
                }

                fn finish_row(self, columns: &mut ::std::vec::Vec<__sdk::Column>) {
                    #(__sdk::ColumnWriter::finish(self.#idents, columns);)*
                }

                fn bytes(&self) -> usize {
                    0 #(+ __sdk::ColumnWriter::bytes(&self.#idents))*
                }
            }
        }
    }
}

impl RecordField {
    /// Its type, which the compiler takes for a mistake that it has told if `CHECKED` is one.
    fn checked(&self, lifetime: &str) -> TokenStream {
        let ty = with_lifetime(&self.ty, lifetime);
        code!(<#ty as __sdk::If<CHECKED>>::Type)
    }

    fn parse(field: &Field) -> syn::Result<RecordField> {
        check_value(&field.ty)?;
        if field.ty.to_token_stream().to_string().contains("'static") {
            let message = "a row that is read lives as long as its batch: use `struct Name<'a>` and `'a`";
            return Err(syn::Error::new_spanned(&field.ty, message));
        }
        let ident = field.ident.clone().unwrap_or_else(|| format_ident!("value"));
        let mut name = ident.unraw().to_string();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("record")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("name") {
                    return Err(meta.error("the attribute is `#[record(name = \"...\")]`"));
                }
                let given: LitStr = meta.value()?.parse()?;
                name = check_name("a field's", &given)?;
                Ok(())
            })?;
        }
        Ok(RecordField { ident, name, ty: field.ty.clone() })
    }
}

fn check_generics(item: &DeriveInput) -> syn::Result<()> {
    let generics = &item.generics;
    if let Some(parameter) = generics.params.iter().find(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        let message = "a Record cannot be generic: its fields have one type; name the type";
        return Err(syn::Error::new_spanned(parameter, message));
    }
    if let Some(second) = generics.params.iter().nth(1) {
        return Err(syn::Error::new(second.span(), "a Record borrows from one batch: use one lifetime"));
    }
    Ok(())
}
