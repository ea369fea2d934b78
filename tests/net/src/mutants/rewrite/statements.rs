//! Statements that are left out.

use syn::{
    Block, Expr, ExprBlock, Stmt, parse_quote,
    token::{Brace, Semi},
    visit_mut::VisitMut,
};

use super::{Kind, Walk};
use crate::mutants::switch::on;

/// Calls without which a program does the same, with less ease.
const HINTS: [&str; 5] = ["reserve", "reserve_exact", "shrink_to_fit", "shrink_to", "with_capacity"];

impl Walk<'_> {
    pub(super) fn statements(&mut self, block: &mut Block) {
        let last = block.stmts.len().saturating_sub(1);
        for (at, statement) in block.stmts.iter_mut().enumerate() {
            // What is not the last has no value.
            if let (true, Stmt::Expr(expression, None)) = (at < last, &mut *statement) {
                end_unit_in(expression);
            }
            // Without the semicolon, which may be one that was added here.
            let place = match &*statement {
                Stmt::Expr(expression, Some(_)) if is_removable(expression) => Some(self.place(expression)),
                _ => None,
            };
            self.visit_stmt_mut(statement);
            let number = place.and_then(|place| self.mutant(Kind::Statement, &place, "(nothing)"));
            if let Some(number) = number {
                let switch = on(number);
                *statement = parse_quote! { if !#switch { #statement } };
            }
        }
    }
}

/// Gives the last expression of a block without a value a semicolon, so that it is a statement like any other.
pub(super) fn end_unit(block: &mut Block) {
    if let Some(Stmt::Expr(expression, semicolon @ None)) = block.stmts.last_mut() {
        if is_removable(expression) {
            *semicolon = Some(Semi::default());
        } else {
            end_unit_in(expression);
        }
    }
}

/// The same in the parts of an expression without a value.
fn end_unit_in(expression: &mut Expr) {
    match expression {
        Expr::If(choice) => {
            end_unit(&mut choice.then_branch);
            if let Some((_, otherwise)) = &mut choice.else_branch {
                end_unit_in(otherwise);
            }
        }
        Expr::Block(block) => end_unit(&mut block.block),
        Expr::Match(choice) => choice.arms.iter_mut().for_each(|arm| end_unit_arm(&mut arm.body)),
        _ => {}
    }
}

fn end_unit_arm(body: &mut Expr) {
    if !is_removable(body) {
        return end_unit_in(body);
    }
    let statement = Stmt::Expr(std::mem::replace(body, Expr::PLACEHOLDER), Some(Semi::default()));
    let block = Block { brace_token: Brace::default(), stmts: vec![statement] };
    *body = Expr::Block(ExprBlock { attrs: Vec::new(), label: None, block });
}

/// Calls and assignments.
fn is_removable(expression: &Expr) -> bool {
    match expression {
        Expr::Try(inner) => is_removable(&inner.expr),
        Expr::Await(inner) => is_removable(&inner.base),
        Expr::Call(_) | Expr::Assign(_) => true,
        Expr::MethodCall(call) => !HINTS.iter().any(|hint| call.method == hint),
        Expr::Binary(binary) => super::expressions::is_assigning(&binary.op),
        _ => false,
    }
}
