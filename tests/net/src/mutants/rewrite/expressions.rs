//! Expressions that give something else.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{BinOp, Expr, ExprBinary, ExprLit, ExprMethodCall, Lit, parse_quote};

use super::{Kind, Place, Walk};
use crate::mutants::switch::on;

/// Methods that take what they are called on, and their opposites.
const BY_VALUE: [(&str, &str); 6] = [
    ("min", "max"),
    ("max", "min"),
    ("saturating_add", "saturating_sub"),
    ("saturating_sub", "saturating_add"),
    ("checked_add", "checked_sub"),
    ("checked_sub", "checked_add"),
];
const BY_REFERENCE: [(&str, &str); 2] = [("first", "last"), ("last", "first")];
/// Methods without arguments that say yes or no.
const QUESTIONS: [&str; 5] = ["is_some", "is_none", "is_ok", "is_err", "is_empty"];
/// What no integer of a type is above of.
const LARGEST: [u64; 7] = [
    i8::MAX as u64,
    u8::MAX as u64,
    i16::MAX as u64,
    u16::MAX as u64,
    i32::MAX as u64,
    u32::MAX as u64,
    i64::MAX as u64,
];

/// What is to be done with an expression once its parts are rewritten.
pub(super) enum Plan {
    Negate(Kind),
    Compare(BinOp),
    Logic { is_and: bool },
    Compute(BinOp),
    Assign(BinOp),
    Integer(u64, String),
    ByValue(&'static str),
    ByReference(&'static str),
    Quantifier,
    Filter,
    Argument(TokenStream, &'static str),
}

/// What can be done with an expression.
pub(super) fn plan(expression: &Expr) -> Option<Plan> {
    match expression {
        Expr::Binary(binary) => plan_binary(binary),
        Expr::MethodCall(call) => plan_call(call),
        Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }) => Some(Plan::Negate(Kind::Literal)),
        Expr::Lit(ExprLit { lit: Lit::Int(integer), .. }) => {
            Some(Plan::Integer(integer.base10_parse().ok()?, integer.suffix().to_owned()))
        }
        _ => None,
    }
}

fn plan_binary(binary: &ExprBinary) -> Option<Plan> {
    let span = Span::call_site();
    let is_text = is_text(&binary.left) || is_text(&binary.right);
    Some(match binary.op {
        BinOp::Eq(_) | BinOp::Ne(_) => Plan::Negate(Kind::Comparison),
        BinOp::Lt(_) => Plan::Compare(BinOp::Le(syn::Token![<=](span))),
        BinOp::Le(_) => Plan::Compare(BinOp::Lt(syn::Token![<](span))),
        BinOp::Gt(_) => Plan::Compare(BinOp::Ge(syn::Token![>=](span))),
        BinOp::Ge(_) => Plan::Compare(BinOp::Gt(syn::Token![>](span))),
        BinOp::And(_) if !has_let(&binary.left) && !has_let(&binary.right) => Plan::Logic { is_and: true },
        BinOp::Or(_) => Plan::Logic { is_and: false },
        BinOp::Add(_) if !is_text => Plan::Compute(BinOp::Sub(syn::Token![-](span))),
        BinOp::Sub(_) | BinOp::Mul(_) => Plan::Compute(BinOp::Add(syn::Token![+](span))),
        BinOp::AddAssign(_) if !is_text => Plan::Assign(BinOp::SubAssign(syn::Token![-=](span))),
        BinOp::SubAssign(_) | BinOp::MulAssign(_) => Plan::Assign(BinOp::AddAssign(syn::Token![+=](span))),
        _ => return None,
    })
}

fn plan_call(call: &ExprMethodCall) -> Option<Plan> {
    let method = call.method.to_string();
    let other =
        |pairs: &[(&str, &'static str)]| pairs.iter().find(|(name, _)| *name == method).map(|(_, other)| *other);
    match (method.as_str(), call.args.len()) {
        (question, 0) if QUESTIONS.contains(&question) => Some(Plan::Negate(Kind::Method)),
        (_, 0) if other(&BY_REFERENCE).is_some() => other(&BY_REFERENCE).map(Plan::ByReference),
        (_, 0 | 1) if other(&BY_VALUE).is_some() => other(&BY_VALUE).map(Plan::ByValue),
        ("any" | "all", 1) => Some(Plan::Quantifier),
        ("filter", 1) => Some(Plan::Filter),
        ("take", 1) => Some(Plan::Argument(quote!(!0), "all are taken")),
        ("skip", 1) => Some(Plan::Argument(quote!(0), "none is skipped")),
        _ => None,
    }
}

/// Whether a condition can be negated, and is not anyway as the expression that it is.
pub(super) fn is_negatable(condition: &Expr) -> bool {
    !has_let(condition) && !matches!(plan(condition), Some(Plan::Negate(_)))
}

pub(super) fn is_assigning(operator: &BinOp) -> bool {
    use BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign, ShlAssign, ShrAssign,
        SubAssign,
    };
    matches!(operator, AddAssign(_) | SubAssign(_) | MulAssign(_) | DivAssign(_) | RemAssign(_))
        || matches!(operator, BitAndAssign(_) | BitOrAssign(_) | BitXorAssign(_) | ShlAssign(_) | ShrAssign(_))
}

/// Whether `if` binds names with `let` here, for what comes behind.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) => has_let(left) || has_let(right),
        _ => false,
    }
}

/// Texts can be added, and nothing else done with them.
fn is_text(operand: &Expr) -> bool {
    matches!(operand, Expr::Reference(_) | Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))
}

/// The names of the operands of a mutant, which has its number in them, so that a message of the compiler tells it.
fn names(number: u32) -> (Ident, Ident) {
    (format_ident!("left_{number}"), format_ident!("right_{number}"))
}

impl Walk<'_> {
    /// Makes a condition its opposite.
    pub(super) fn negate(&mut self, kind: Kind, place: &Place, condition: &mut Expr) {
        if let Some(number) = self.mutant(kind, place, "its opposite") {
            let switch = on(number);
            *condition = parse_quote!(((#condition) != #switch));
        }
    }

    pub(super) fn apply(&mut self, plan: Plan, place: &Place, expression: &mut Expr) {
        match plan {
            Plan::Negate(kind) => self.negate(kind, place, expression),
            Plan::Integer(value, suffix) => self.integer(value, &suffix, place, expression),
            Plan::Compare(_) | Plan::Logic { .. } | Plan::Compute(_) | Plan::Assign(_) => {
                if let Expr::Binary(binary) = &*expression
                    && let Some(rewritten) = self.binary(plan, place, binary)
                {
                    *expression = rewritten;
                }
            }
            _ => {
                if let Expr::MethodCall(call) = &*expression
                    && let Some(rewritten) = self.call(plan, call)
                {
                    *expression = rewritten;
                }
            }
        }
    }

    fn binary(&mut self, plan: Plan, place: &Place, binary: &ExprBinary) -> Option<Expr> {
        let (kind, after) = match &plan {
            Plan::Compare(other) => (Kind::Comparison, operator_text(other)),
            Plan::Logic { is_and } => (Kind::Logic, if *is_and { "||" } else { "&&" }),
            Plan::Compute(other) | Plan::Assign(other) => (Kind::Arithmetic, operator_text(other)),
            _ => return None,
        };
        let number = self.mutant(kind, place, after)?;
        let (switch, (left, right)) = (on(number), names(number));
        let ExprBinary { left: a, op, right: b, .. } = binary;
        Some(match plan {
            Plan::Compare(other) => parse_quote! {
                (match (&(#a), &(#b)) {
                    (#left, #right) => if #switch { *#left #other *#right } else { *#left #op *#right },
                })
            },
            // "And" needs its right side when the left one is true, "or" when it is false.
            Plan::Logic { is_and: true } => parse_quote! {
                ({ let #left: bool = #a; if #left != #switch { #b } else { #left } })
            },
            Plan::Logic { .. } => parse_quote! {
                ({ let #left: bool = #a; if #left == #switch { #b } else { #left } })
            },
            Plan::Compute(other) => parse_quote! {
                (match (#a, #b) {
                    (#left, #right) => if #switch { #left #other #right } else { #left #op #right },
                })
            },
            Plan::Assign(other) => parse_quote! {
                (match #b { #right => if #switch { #a #other #right } else { #a #op #right } })
            },
            _ => return None,
        })
    }

    fn call(&mut self, plan: Plan, call: &ExprMethodCall) -> Option<Expr> {
        let after = match &plan {
            Plan::ByValue(other) | Plan::ByReference(other) => *other,
            Plan::Quantifier if call.method == "any" => "all",
            Plan::Quantifier => "any",
            Plan::Filter => "nothing is left out",
            Plan::Argument(_, after) => after,
            _ => return None,
        };
        // Of a chain of calls the last is meant.
        let text = super::one_line(&format!("... .{}", self.tail_of(call)));
        let place = &Place { text, ..self.place(&call.method) };
        let number = self.mutant(Kind::Method, place, after)?;
        let (switch, (left, right)) = (on(number), names(number));
        let ExprMethodCall { receiver, method, turbofish, args, .. } = call;
        let argument = args.first();
        Some(match plan {
            Plan::ByValue(other) => {
                let other = Ident::new(other, Span::call_site());
                match argument {
                    Some(argument) => parse_quote! {
                        (match (#receiver, #argument) {
                            (#left, #right) => if #switch { #left.#other(#right) } else { #left.#method(#right) },
                        })
                    },
                    None => parse_quote! {
                        (match #receiver { #left => if #switch { #left.#other() } else { #left.#method() } })
                    },
                }
            }
            Plan::ByReference(other) => {
                let other = Ident::new(other, Span::call_site());
                parse_quote! {
                    (match &(#receiver) { #left => if #switch { #left.#other() } else { #left.#method() } })
                }
            }
            // All are when not any is not.
            Plan::Quantifier => {
                let negated = with_answer(argument?, &left, &|answer| quote!((#answer) != #switch));
                parse_quote! { ((#receiver.#method #turbofish(#negated)) != #switch) }
            }
            Plan::Filter => {
                let open = with_answer(argument?, &left, &|answer| quote!(#switch || (#answer)));
                parse_quote! { #receiver.#method #turbofish(#open) }
            }
            Plan::Argument(other, _) => {
                parse_quote! { #receiver.#method #turbofish(if #switch { #other } else { #argument }) }
            }
            _ => return None,
        })
    }

    /// From the name of the method on; its arguments may be rewritten already, but the closing bracket stands where it stood.
    fn tail_of(&self, call: &ExprMethodCall) -> String {
        let (from, to) = (call.method.span().byte_range().start, call.paren_token.span.close().byte_range().end);
        self.source.get(from..to).unwrap_or_default().to_owned()
    }

    fn integer(&mut self, value: u64, suffix: &str, place: &Place, expression: &mut Expr) {
        let next = if LARGEST.contains(&value) || value == u64::MAX { value - 1 } else { value + 1 };
        let others = if value > 0 { vec![next, 0] } else { vec![next] };
        for other in others {
            let text = format!("{other}{suffix}");
            let (Some(number), Ok(literal)) = (self.mutant(Kind::Literal, place, &text), text.parse::<Literal>())
            else {
                continue;
            };
            let switch = on(number);
            *expression = parse_quote!((if #switch { #literal } else { #expression }));
        }
    }
}

/// A closure that answers something else; what is no closure becomes one.
fn with_answer(function: &Expr, name: &Ident, answer: &dyn Fn(TokenStream) -> TokenStream) -> Expr {
    match function {
        Expr::Closure(closure) => {
            let mut closure = closure.clone();
            let body = &closure.body;
            let body = answer(quote!(#body));
            closure.body = parse_quote!({ #body });
            Expr::Closure(closure)
        }
        _ => {
            let body = answer(quote!((#function)(#name)));
            parse_quote!(|#name| { #body })
        }
    }
}

fn operator_text(operator: &BinOp) -> &'static str {
    match operator {
        BinOp::Lt(_) => "<",
        BinOp::Le(_) => "<=",
        BinOp::Gt(_) => ">",
        BinOp::Ge(_) => ">=",
        BinOp::Add(_) => "+",
        BinOp::Sub(_) => "-",
        BinOp::AddAssign(_) => "+=",
        BinOp::SubAssign(_) => "-=",
        _ => "?",
    }
}
