"""Tables of tests only, as SQLModel declares them: it cannot do so with postponed annotations."""

from sqlalchemy import MetaData
from sqlmodel import Field, Relationship, SQLModel


class Shelf(SQLModel, table=True):
    metadata = MetaData()
    id: int | None = Field(default=None, primary_key=True)
    place: str
    boxes: list["Box"] = Relationship(back_populates="shelf")


class Box(SQLModel, table=True):
    metadata = Shelf.metadata
    id: int | None = Field(default=None, primary_key=True)
    label: str
    shelf_id: int = Field(foreign_key="shelf.id")
    shelf: Shelf = Relationship(back_populates="boxes")
