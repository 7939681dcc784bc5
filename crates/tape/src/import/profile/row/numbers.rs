//! Prices, sizes and venues of a row's cells.

use super::super::cell::{Cell, Cells, NoNumber};
use super::super::plan::Fault;
use super::super::spec::{Field, NullSide, OnNull};
use super::Converter;
use onetape_engine::ids::VenueIx;
use onetape_engine::num::SCALE;

impl Converter<'_> {
    /// A row lacks a value it needs: counted, or an error.
    pub(super) fn skip(&mut self, leg: usize, needed: &[Field]) -> Result<(), Fault> {
        if self.profile.file.on_null == OnNull::Skip {
            self.skipped += 1;
            return Ok(());
        }
        let place = needed.iter().find_map(|field| self.plan.legs[leg][*field as usize]).unwrap_or_default();
        Err(self.plan.fault(place, Cell::Null, "a value (to leave such rows out: file.on_null = \"skip\")"))
    }

    pub(super) fn cell<'c, C: Cells>(
        &self,
        cells: &'c C,
        leg: usize,
        field: Field,
    ) -> Option<(usize, Cell<'c>)> {
        let place = self.plan.legs[leg][field as usize]?;
        Some((place, cells.get(place)))
    }

    /// A price in 1e-9; `None` of a null cell or an unmapped field.
    pub(super) fn price<C: Cells>(&self, cells: &C, leg: usize, field: Field) -> Result<Option<i64>, Fault> {
        let Some((place, cell)) = self.cell(cells, leg, field) else { return Ok(None) };
        if cell == Cell::Null {
            return Ok(None);
        }
        let spec = &self.profile.price;
        match cell.scaled(9, spec.unit.0, spec.whole_only) {
            Ok(price) if price < 0 && !spec.negative => {
                Err(self.plan.fault(place, cell, "a price of zero or more (see price.negative)"))
            }
            Ok(price) => Ok(Some(price)),
            Err(problem) => Err(self.plan.fault(place, cell, expected(problem, "a price"))),
        }
    }

    /// A quantity in 1e-9; `None` of a null cell or an unmapped field.
    pub(super) fn size<C: Cells>(
        &self,
        cells: &C,
        leg: usize,
        field: Field,
        lot: i64,
    ) -> Result<Option<i64>, Fault> {
        let Some((place, cell)) = self.cell(cells, leg, field) else { return Ok(None) };
        if cell == Cell::Null {
            return Ok(None);
        }
        let fault = |expected: &str| Err(self.plan.fault(place, cell, expected));
        match cell.scaled(9, 0, false) {
            Ok(size) if size < 0 => fault("a size of zero or more"),
            Ok(size) => match size.checked_mul(lot) {
                Some(size) => Ok(Some(size)),
                None => fault("a size below 9.2e9"),
            },
            Err(problem) => fault(expected(problem, "a size")),
        }
    }

    pub(super) fn venue<C: Cells>(&self, cells: &C, place: Option<usize>) -> Result<VenueIx, Fault> {
        let Some(place) = place else { return Ok(VenueIx(0)) };
        let cell = cells.get(place);
        let text = cell.text();
        let mapped =
            self.profile.venue.as_ref().and_then(|spec| {
                std::str::from_utf8(&text).ok().and_then(|text| spec.map.get(text).copied())
            });
        let number = mapped.or(match (&*text, cell.count()) {
            (_, Some(number)) => u16::try_from(number).ok(),
            (b"", _) => Some(0),
            ([letter @ b'A'..=b'Z'], _) => Some(u16::from(letter - b'A') + 1),
            _ => None,
        });
        number.map(VenueIx).ok_or_else(|| {
            self.plan.fault(place, cell, "a venue number, a letter from A to Z or a key of venue.map")
        })
    }

    /// Price and size of a quote side; `None` when the row says nothing about it.
    pub(super) fn side<C: Cells>(
        &self,
        cells: &C,
        leg: usize,
        (price, size): (Field, Field),
        lot: i64,
    ) -> Result<Option<(i64, i64)>, Fault> {
        let Some(value) = self.price(cells, leg, price)? else {
            return Ok((self.profile.file.null_side == NullSide::Empty).then_some((0, 0)));
        };
        let stated = self.size(cells, leg, size, lot)?;
        let assumed = self.profile.size.assumed.map_or(0, |size| i64::from(size) * SCALE);
        Ok(Some((value, stated.unwrap_or(assumed))))
    }

    /// Four prices; `None` when one of them is null.
    pub(super) fn ohlc<C: Cells>(
        &self,
        cells: &C,
        leg: usize,
        fields: [Field; 4],
    ) -> Result<Option<[i64; 4]>, Fault> {
        let mut prices = [0; 4];
        for (slot, field) in prices.iter_mut().zip(fields) {
            let Some(price) = self.price(cells, leg, field)? else { return Ok(None) };
            *slot = price;
        }
        Ok(Some(prices))
    }

    /// The low half of a whole number; 0 where there is none.
    pub(super) fn count<C: Cells>(&self, cells: &C, leg: usize, field: Field) -> u32 {
        self.cell(cells, leg, field).and_then(|(_, cell)| cell.count()).unwrap_or_default() as u32
    }
}

fn expected(problem: NoNumber, what: &'static str) -> &'static str {
    match (problem, what) {
        (NoNumber::TooFine, _) => "a number with at most 9 decimals (nothing is rounded)",
        (NoNumber::TooLarge, _) => "a number below 9.2e9",
        (NoNumber::NotFinite, _) => "a finite number (list it under file.null if it means no value)",
        (NoNumber::Text, what) => what,
    }
}
