//! Puts mutants into a source file: the same program, with a switch at each place where it could be wrong.
//!
//! Operands are evaluated once, before the switch, so that mutants inside of mutants do not double the code.

mod expressions;
mod functions;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use proc_macro2::Span;
use syn::{
    Arm, Attribute, Block, Expr, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, Meta, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

use super::mutant::{Identity, Kind, Mutant, Ordinals};

/// The longest text of an original that a mutant is known by.
const TEXT_MAX: usize = 90;

/// A source with its mutants.
pub struct Rewritten {
    pub text: String,
    /// Those too that were left out because they do not compile.
    pub mutants: Vec<Mutant>,
}

/// The modules in files of their own that are for tests alone.
pub fn test_modules(source: &str) -> syn::Result<Vec<String>> {
    let mut modules = TestModules(Vec::new());
    modules.visit_file(&syn::parse_file(source)?);
    Ok(modules.0)
}

struct TestModules(Vec<String>);

impl<'a> Visit<'a> for TestModules {
    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        match (is_for_tests(&module.attrs), &module.content) {
            (true, None) => self.0.push(module.ident.to_string()),
            (true, Some(_)) => {}
            (false, _) => visit::visit_item_mod(self, module),
        }
    }

    fn visit_block(&mut self, _: &'a Block) {}
}

/// Rewrites a source; `first` is the number of its first mutant.
pub fn rewrite(file: &str, source: &str, first: u32, dropped: &HashSet<Identity>) -> syn::Result<Rewritten> {
    let mut syntax = syn::parse_file(source)?;
    let mut walk = Walk {
        file,
        source,
        next: first,
        dropped,
        path: Vec::new(),
        ordinals: Ordinals::default(),
        function_hash: 0,
        mutants: Vec::new(),
    };
    walk.visit_file_mut(&mut syntax);
    Ok(Rewritten { text: prettyplease::unparse(&syntax), mutants: walk.mutants })
}

struct Walk<'a> {
    file: &'a str,
    source: &'a str,
    next: u32,
    dropped: &'a HashSet<Identity>,
    path: Vec<String>,
    ordinals: Ordinals,
    /// Of the function that it is in.
    function_hash: u32,
    mutants: Vec<Mutant>,
}

/// A place of the original, taken before anything in it is rewritten.
struct Place {
    text: String,
    line: usize,
    column: usize,
}

impl Walk<'_> {
    /// Where something stands, and its text on one line.
    fn place(&self, spanned: &impl Spanned) -> Place {
        self.place_of(spanned.span())
    }

    fn place_of(&self, span: Span) -> Place {
        let (line, column) = (span.start().line, span.start().column + 1);
        let text = one_line(self.source.get(span.byte_range()).unwrap_or_default());
        Place { text, line, column }
    }

    /// Another mutant: its number, unless it does not compile.
    fn mutant(&mut self, kind: Kind, place: &Place, after: &str) -> Option<u32> {
        let (function, number) = (self.path.join("::"), self.next);
        self.next += 1;
        let change = format!("{} -> {after}", place.text);
        let ordinal = self.ordinals.next(&function, kind, &change);
        let identity = Identity { file: self.file.to_owned(), function, kind, change, ordinal };
        let is_dropped = self.dropped.contains(&identity);
        let (line, column) = (place.line, place.column);
        let (after, function_hash) = (after.to_owned(), self.function_hash);
        self.mutants.push(Mutant { number, identity, line, column, after, function_hash });
        (!is_dropped).then_some(number)
    }

    fn within(&mut self, name: String, walk: impl FnOnce(&mut Self)) {
        self.path.push(name);
        walk(self);
        self.path.pop();
    }
}

/// On one line, and not too long.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= TEXT_MAX {
        return words;
    }
    words.chars().take(TEXT_MAX - 3).chain("...".chars()).collect()
}

/// Whether something is compiled for tests alone, or for nothing that a test could see.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition.contains("test") && !condition.contains("not")
        }
        Meta::Path(path) => path.is_ident("test") || path.is_ident("proc_macro"),
        _ => false,
    })
}

// What is not rewritten: patterns, types and what is computed by the compiler.
impl VisitMut for Walk<'_> {
    fn visit_attribute_mut(&mut self, _: &mut Attribute) {}
    fn visit_pat_mut(&mut self, _: &mut syn::Pat) {}
    fn visit_type_mut(&mut self, _: &mut syn::Type) {}
    fn visit_path_mut(&mut self, _: &mut syn::Path) {}
    fn visit_generics_mut(&mut self, _: &mut syn::Generics) {}
    fn visit_angle_bracketed_generic_arguments_mut(&mut self, _: &mut syn::AngleBracketedGenericArguments) {}
    fn visit_macro_mut(&mut self, _: &mut syn::Macro) {}
    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}
    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}
    fn visit_trait_item_const_mut(&mut self, _: &mut syn::TraitItemConst) {}
    fn visit_item_static_mut(&mut self, _: &mut syn::ItemStatic) {}
    fn visit_item_enum_mut(&mut self, _: &mut syn::ItemEnum) {}
    fn visit_item_struct_mut(&mut self, _: &mut syn::ItemStruct) {}
    fn visit_expr_const_mut(&mut self, _: &mut syn::ExprConst) {}

    fn visit_expr_repeat_mut(&mut self, repeat: &mut syn::ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if !is_for_tests(&module.attrs) {
            let name = module.ident.to_string();
            self.within(name, |walk| visit_mut::visit_item_mod_mut(walk, module));
        }
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        if !is_for_tests(&block.attrs) {
            let name = functions::name_of_impl(block);
            self.within(name, |walk| visit_mut::visit_item_impl_mut(walk, block));
        }
    }

    fn visit_item_trait_mut(&mut self, item: &mut ItemTrait) {
        let name = item.ident.to_string();
        self.within(name, |walk| visit_mut::visit_item_trait_mut(walk, item));
    }

    fn visit_item_fn_mut(&mut self, function: &mut ItemFn) {
        self.function(&function.attrs, &function.sig, &mut function.block);
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        self.function(&function.attrs, &function.sig, &mut function.block);
    }

    fn visit_trait_item_fn_mut(&mut self, function: &mut TraitItemFn) {
        if let Some(block) = &mut function.default {
            self.function(&function.attrs, &function.sig, block);
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        self.statements(block);
    }

    fn visit_expr_for_loop_mut(&mut self, each: &mut syn::ExprForLoop) {
        statements::end_unit(&mut each.body);
        visit_mut::visit_expr_for_loop_mut(self, each);
    }

    fn visit_expr_while_mut(&mut self, during: &mut syn::ExprWhile) {
        statements::end_unit(&mut during.body);
        let place = self.place(&during.cond);
        let negatable = expressions::is_negatable(&during.cond);
        visit_mut::visit_expr_while_mut(self, during);
        if negatable {
            self.negate(Kind::Condition, &place, &mut during.cond);
        }
    }

    fn visit_expr_if_mut(&mut self, choice: &mut syn::ExprIf) {
        let place = self.place(&choice.cond);
        let negatable = expressions::is_negatable(&choice.cond);
        visit_mut::visit_expr_if_mut(self, choice);
        if negatable {
            self.negate(Kind::Condition, &place, &mut choice.cond);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| (self.place(guard), expressions::is_negatable(guard)));
        visit_mut::visit_arm_mut(self, arm);
        if let (Some((place, true)), Some((_, guard))) = (guard, &mut arm.guard) {
            self.negate(Kind::Condition, &place, guard);
        }
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        let place = self.place(expression);
        let plan = expressions::plan(expression);
        visit_mut::visit_expr_mut(self, expression);
        if let Some(plan) = plan {
            self.apply(plan, &place, expression);
        }
    }
}
